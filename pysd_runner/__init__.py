"""What happens if: from a model file to projections, pictures and reports."""
