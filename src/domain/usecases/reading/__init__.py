"""Archives, inventories and members are looked up."""
