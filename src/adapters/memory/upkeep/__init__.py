"""What watches over stored archives, in memory."""
