"""Builds every Kubernetes overlay and component combination and checks what comes out."""
