"""What a board, or a release, is made of: an SBOM in CycloneDX 1.6."""
