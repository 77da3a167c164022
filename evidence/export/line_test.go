package export

// RoundTrip reads a line and writes it again, for tests.
func RoundTrip(data []byte) ([]byte, error) {
	l, err := parseLine(data)
	if err != nil {
		return nil, err
	}
	return l.marshal()
}
