package infer

// rules are all kinds of findings; each lies in a file named like its id.
var rules = []rule{}
