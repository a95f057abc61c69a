"""What a person is told, to whom it goes, and what is known to have reached them."""
