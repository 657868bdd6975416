"""What a bundle is: manifest, digests, signature, golden check, installation."""
