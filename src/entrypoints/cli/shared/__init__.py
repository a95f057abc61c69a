"""What several commands of the client begin with or share."""
