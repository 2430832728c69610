"""What runs for images that AWS publishes, and for plain Python images, where there is no container engine."""
