"""The pages about the server as a whole: what it does by itself, what it stores, who may come in, and what was done."""
