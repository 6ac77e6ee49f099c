"""Target files that come with nmcompile: one TOML file for each chip or board."""
