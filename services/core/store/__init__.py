"""Typed functions over `services/core/sql/`: one module per family of statements."""
