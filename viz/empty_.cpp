namespace viz {}
