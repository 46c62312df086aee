"""Veche: event-driven comment moderation and rating for news portals."""
