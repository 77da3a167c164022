package keys

import (
	"bytes"
	"crypto"
	"encoding/json"
	"fmt"
	"io"

	"golang.org/x/crypto/nacl/secretbox"
	"golang.org/x/crypto/scrypt"
)

// cosignFile is what stands inside cosign's PEM block: JSON, whose ciphertext is a
// NaCl secretbox around PKCS #8, under a key that scrypt derives.
type cosignFile struct {
	KDF struct {
		Name   string `json:"name"`
		Params struct {
			N int `json:"N"`
			R int `json:"r"`
			P int `json:"p"`
		} `json:"params"`
		Salt []byte `json:"salt"`
	} `json:"kdf"`
	Cipher struct {
		Name  string `json:"name"`
		Nonce []byte `json:"nonce"`
	} `json:"cipher"`
	Ciphertext []byte `json:"ciphertext"`
}

// Bounds of scrypt: it takes 128·N·r bytes of memory and time in proportion to
// N·r·p. cosign writes N 65,536, r 8, p 1: 64 MiB.
const (
	maxScryptMemory = 256 << 20
	maxScryptCost   = 8 << 20
)

// checkScrypt bounds the parameters before anything is computed from them.
func checkScrypt(n, r, p int) error {
	const most = 1 << 24
	if n < 2 || n > most || n&(n-1) != 0 || r < 1 || r > most || p < 1 || p > most {
		return fmt.Errorf("%w: scrypt with N %d, r %d, p %d", ErrHostileKeyFile, n, r, p)
	}
	memory := 128 * uint64(n) * uint64(r)
	if memory > maxScryptMemory || uint64(n)*uint64(r) > maxScryptCost/uint64(p) {
		return fmt.Errorf("%w: scrypt with N %d, r %d, p %d takes %d MiB", ErrHostileKeyFile, n, r, p, memory>>20)
	}
	return nil
}

// parseCosign reads what cosign generate-key-pair and import-key-pair write.
func parseCosign(data []byte, ask func() ([]byte, error)) (crypto.PrivateKey, error) {
	file, err := readCosign(data)
	if err != nil {
		return nil, err
	}
	secret, err := ask()
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	p := file.KDF.Params
	derived, err := scrypt.Key(secret, file.KDF.Salt, p.N, p.R, p.P, 32)
	if err != nil {
		return nil, fmt.Errorf("%w: its key derivation cannot be run", ErrDamaged)
	}
	plain, ok := secretbox.Open(nil, file.Ciphertext, (*[24]byte)(file.Cipher.Nonce), (*[32]byte)(derived))
	if !ok {
		return nil, ErrPassphrase
	}
	return parsePKCS8(plain)
}

func readCosign(data []byte) (cosignFile, error) {
	var file cosignFile
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if dec.Decode(&file) != nil {
		return cosignFile{}, fmt.Errorf("%w: its JSON cannot be read", ErrDamaged)
	}
	if _, err := dec.Token(); err != io.EOF {
		return cosignFile{}, fmt.Errorf("%w: something follows its JSON", ErrDamaged)
	}
	if file.KDF.Name != "scrypt" || file.Cipher.Name != "nacl/secretbox" || len(file.Cipher.Nonce) != 24 {
		return cosignFile{}, fmt.Errorf("%w: encrypted in another way than scrypt and nacl/secretbox", ErrUnknownKeyFile)
	}
	p := file.KDF.Params
	return file, checkScrypt(p.N, p.R, p.P)
}
