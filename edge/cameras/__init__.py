"""Sources of frames: files, folders and the simulated belt here, live cameras in a process apart.

A live camera is read by `capture` in a process of its own, through one `Device` per kind; `live`
takes the newest frame from it, watches it by the line's clock and replaces it when it fails.
"""
