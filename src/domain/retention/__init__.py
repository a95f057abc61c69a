"""Which archives stay and which may go, for what reason; marks that protect archives, and the trash."""
