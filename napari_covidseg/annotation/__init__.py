"""Corrected masks: kept as training cases, and safe from a crash."""
