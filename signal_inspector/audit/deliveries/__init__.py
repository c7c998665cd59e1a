"""How what was taken gets into the database: one small class for each way."""
