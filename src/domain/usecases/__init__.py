"""What Tarkeep does: one module per verb, each a frozen class whose fields are the ports it needs."""
