"""Who is who: agencies, their instances (functional Leistungsträger), branches and channels, from one file."""
