namespace topology {}
