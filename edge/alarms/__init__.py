"""The alarms of a line: when one is raised, who acknowledged it, and what it is judged by."""
