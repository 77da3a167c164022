package envelope

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"math/big"
	"slices"
	"strings"
	"testing"
)

// curve25519 arithmetic with big.Int, slow and plain, to derive the points of small
// order instead of believing the table.
var (
	prime  = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	curveD = func() *big.Int {
		d := new(big.Int).ModInverse(big.NewInt(121666), prime)
		return d.Mul(d, big.NewInt(-121665)).Mod(d, prime)
	}()
)

type point struct{ x, y *big.Int }

func add(p, q point) point {
	mul := func(a ...*big.Int) *big.Int {
		r := big.NewInt(1)
		for _, f := range a {
			r.Mul(r, f).Mod(r, prime)
		}
		return r
	}
	div := func(a, b *big.Int) *big.Int { return mul(a, new(big.Int).ModInverse(b, prime)) }
	k := mul(curveD, p.x, q.x, p.y, q.y)
	x := new(big.Int).Add(mul(p.x, q.y), mul(p.y, q.x))
	y := new(big.Int).Add(mul(p.y, q.y), mul(p.x, q.x))
	one := big.NewInt(1)
	minus := new(big.Int).Sub(one, k)
	minus.Mod(minus, prime)
	return point{div(x.Mod(x, prime), new(big.Int).Add(one, k)), div(y.Mod(y, prime), minus)}
}

// lift returns the point with the given y, if there is one.
func lift(y *big.Int) (point, bool) {
	y2 := new(big.Int).Mul(y, y)
	num := new(big.Int).Sub(y2, big.NewInt(1))
	den := new(big.Int).Add(new(big.Int).Mul(curveD, y2), big.NewInt(1))
	x2 := num.Mul(num, new(big.Int).ModInverse(den.Mod(den, prime), prime))
	x := new(big.Int).ModSqrt(x2.Mod(x2, prime), prime)
	return point{x, y}, x != nil
}

func TestSmallOrderTableIsTheTorsion(t *testing.T) {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	found := map[string]bool{}
	for n := int64(2); len(found) < 5 && n < 200; n++ {
		p, ok := lift(big.NewInt(n))
		if !ok {
			continue
		}
		torsion := point{big.NewInt(0), big.NewInt(1)}
		for i := order.BitLen() - 1; i >= 0; i-- {
			if torsion = add(torsion, torsion); order.Bit(i) == 1 {
				torsion = add(torsion, p)
			}
		}
		b := torsion.y.FillBytes(make([]byte, 32))
		slices.Reverse(b)
		found[hex.EncodeToString(b)] = true
	}
	for y := range found {
		if !smallOrder[y] {
			t.Errorf("%s has small order and is not in the table", y)
		}
	}
	if len(found) != len(smallOrder) {
		t.Errorf("%d points of small order found, the table has %d", len(found), len(smallOrder))
	}
}

func TestRefusedKeys(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Log("the standard library makes no 1024-bit keys: ", err)
		small = &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}}
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewPublicKey(&small.PublicKey); err == nil || !strings.Contains(err.Error(), "1024 bits") {
		t.Errorf("RSA 1024: %v", err)
	}
	if _, err := NewPublicKey(&p384.PublicKey); err == nil || !strings.Contains(err.Error(), "P-256") {
		t.Errorf("P-384: %v", err)
	}
	for y := range smallOrder {
		for _, sign := range []byte{0, 0x80} {
			b, _ := hex.DecodeString(y)
			b[31] |= sign
			if _, err := NewPublicKey(ed25519.PublicKey(b)); err == nil || !strings.Contains(err.Error(), "small order") {
				t.Errorf("%x: %v", b, err)
			}
		}
	}
	for low := 0; low < 19; low++ {
		b := []byte(strings.Repeat("\xff", 32))
		b[0], b[31] = byte(0xed+low), 0x7f
		if _, err := NewPublicKey(ed25519.PublicKey(b)); err == nil || !strings.Contains(err.Error(), "canonical") {
			t.Errorf("y = p + %d: %v", low, err)
		}
	}
}

func TestParsePublicKeyRefuses(t *testing.T) {
	good := newSigner(1).Public()
	text, err := good.PEM()
	if err != nil {
		t.Fatal(err)
	}
	line := good.OpenSSH()
	for name, tc := range map[string]struct{ data, want string }{
		"empty":       {"", "neither"},
		"words":       {"hello there", "base64"},
		"two blocks":  {string(text) + string(text), "more than one"},
		"certificate": {"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", `"CERTIFICATE"`},
		"private":     {"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n", "private key"},
		"two lines":   {line + "\n" + line, "neither"},
		"other name":  {strings.Replace(line, "ssh-ed25519", "ssh-rsa", 1), `"ssh-rsa" outside and "ssh-ed25519" inside`},
		"cut":         {line[:len(line)-8], "damaged"},
		"options":     {`command="x" ` + line, "base64"},
	} {
		if _, err := ParsePublicKey([]byte(tc.data)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, tc.want)
		}
	}
}
