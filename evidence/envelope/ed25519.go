package envelope

import (
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// smallOrder holds the y coordinates, sign bit cleared, of the points of
// edwards25519 whose order divides 8. A signature "by" such a key can be made for
// any message by anybody.
var smallOrder = map[string]bool{
	"0000000000000000000000000000000000000000000000000000000000000000": true, // order 4
	"0100000000000000000000000000000000000000000000000000000000000000": true, // order 1
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f": true, // order 2
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05": true, // order 8
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a": true, // order 8
}

func checkEd25519(k ed25519.PublicKey) error {
	if len(k) != ed25519.PublicKeySize {
		return fmt.Errorf("an Ed25519 key of %d bytes, expected %d", len(k), ed25519.PublicKeySize)
	}
	y := [32]byte(k)
	y[31] &= 0x7f
	if !below25519(y) {
		return errors.New("an Ed25519 key that is not in its canonical encoding")
	}
	if smallOrder[hex.EncodeToString(y[:])] {
		return errors.New("an Ed25519 key of small order, with which anybody can sign")
	}
	return nil
}

// below25519 reports whether the little-endian y is less than p = 2^255 - 19.
func below25519(y [32]byte) bool {
	if binary.LittleEndian.Uint64(y[:]) < 1<<64-19 {
		return true
	}
	for _, word := range []int{8, 16} {
		if binary.LittleEndian.Uint64(y[word:]) != 1<<64-1 {
			return true
		}
	}
	return binary.LittleEndian.Uint64(y[24:]) != 1<<63-1
}
