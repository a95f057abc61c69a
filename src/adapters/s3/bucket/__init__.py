"""Objects in a bucket: the connection, and the requests that the store is made of."""
