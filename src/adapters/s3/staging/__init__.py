"""The bytes of resumable uploads, in the bucket, where every replica can go on with them."""
