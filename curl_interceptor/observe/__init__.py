"""What a pipeline tells of itself."""
