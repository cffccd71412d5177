"""Redis, the one state store: key names, Lua scripts and one module for each aggregate."""
