"""What is on the belt, where and when; pure code that takes positions and times as arguments."""
