namespace strategies {}
