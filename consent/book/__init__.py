"""The catalogue in German, for those who know the law and neither TOML nor Python: entries, comparison, pages."""
