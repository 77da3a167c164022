package trust

// UseOf returns where the private half of a key lives, as the authority's version of
// the root says; "" for a key that it does not list, and for a single key, of which
// nobody said.
func UseOf(a Authority, keyid string) KeyUse {
	r, ok := a.(*root)
	if !ok {
		return ""
	}
	return r.keys[keyid].Use
}
