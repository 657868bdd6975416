"""The page that shows the line, in a process of its own."""
