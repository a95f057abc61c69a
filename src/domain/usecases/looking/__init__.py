"""Trees and archives are looked into."""
