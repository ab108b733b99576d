"""What goes by itself when its time is over, on a schedule, in small transactions."""
