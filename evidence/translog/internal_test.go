package translog

// TilePath is reached by indexes that no test could count up to.
var TilePath = tilePath
