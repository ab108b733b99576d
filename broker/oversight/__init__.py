"""What officers may read of the evidence."""
