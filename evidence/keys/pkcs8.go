package keys

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"hash"

	"golang.org/x/crypto/scrypt"
)

// EncryptedPrivateKeyInfo, RFC 5958 section 3.
type encryptedPKCS8 struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

// PBES2-params, RFC 8018 appendix A.4.
type pbes2Params struct {
	KDF    pkix.AlgorithmIdentifier
	Cipher pkix.AlgorithmIdentifier
}

// PBKDF2-params, RFC 8018 appendix A.2, with the salt as an OCTET STRING.
type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

// scrypt-params, RFC 7914 section 7.
type scryptParams struct {
	Salt      []byte
	N, R, P   int
	KeyLength int `asn1:"optional"`
}

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidScrypt = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}
)

// aesCBC maps the object identifiers of AES-CBC to key sizes in bytes.
var aesCBC = map[string]int{
	"2.16.840.1.101.3.4.1.2":  16,
	"2.16.840.1.101.3.4.1.22": 24,
	"2.16.840.1.101.3.4.1.42": 32,
}

// prfs maps the object identifiers of PBKDF2's HMACs to hashes; RFC 8018 makes
// SHA-1 the default.
var prfs = map[string]func() hash.Hash{
	"":                    sha1.New,
	"1.2.840.113549.2.7":  sha1.New,
	"1.2.840.113549.2.9":  sha256.New,
	"1.2.840.113549.2.10": sha512.New384,
	"1.2.840.113549.2.11": sha512.New,
}

// maxIterations bounds PBKDF2, to some seconds. openssl writes 2,048.
const maxIterations = 10_000_000

var errPBES2 = fmt.Errorf("%w: encrypted in another way than PBES2 with PBKDF2 or scrypt and AES-CBC", ErrUnknownKeyFile)

// parseEncryptedPKCS8 reads what openssl genpkey -aes256 writes.
func parseEncryptedPKCS8(der []byte, ask func() ([]byte, error)) (crypto.PrivateKey, error) {
	var outer encryptedPKCS8
	var params pbes2Params
	if !unmarshal(der, &outer) {
		return nil, fmt.Errorf("%w: its PKCS #8 cannot be read", ErrDamaged)
	}
	if !outer.Algorithm.Algorithm.Equal(oidPBES2) || !unmarshal(outer.Algorithm.Parameters.FullBytes, &params) {
		return nil, &Error{errPBES2, "convert it: openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out NEW"}
	}
	derive, err := kdf(params)
	if err != nil {
		return nil, err
	}
	secret, err := ask()
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	key, err := derive(secret)
	if err != nil {
		return nil, fmt.Errorf("%w: its key derivation cannot be run", ErrDamaged)
	}
	plain, ok := decryptCBC(key, params.Cipher, outer.Data)
	if !ok {
		return nil, ErrPassphrase
	}
	private, err := parsePKCS8(plain)
	if err != nil {
		return nil, fmt.Errorf("%w, or the key is damaged", ErrPassphrase)
	}
	return private, nil
}

// kdf checks the parameters of a key derivation and returns it.
func kdf(params pbes2Params) (func(secret []byte) ([]byte, error), error) {
	size, ok := aesCBC[params.Cipher.Algorithm.String()]
	if !ok {
		return nil, errPBES2
	}
	switch {
	case params.KDF.Algorithm.Equal(oidPBKDF2):
		return kdfPBKDF2(params.KDF.Parameters.FullBytes, size)
	case params.KDF.Algorithm.Equal(oidScrypt):
		return kdfScrypt(params.KDF.Parameters.FullBytes, size)
	}
	return nil, errPBES2
}

func kdfPBKDF2(der []byte, size int) (func([]byte) ([]byte, error), error) {
	var p pbkdf2Params
	if !unmarshal(der, &p) || (p.KeyLength != 0 && p.KeyLength != size) {
		return nil, errPBES2
	}
	prf, ok := prfs[p.PRF.Algorithm.String()]
	if !ok {
		return nil, errPBES2
	}
	if p.Iterations < 1 || p.Iterations > maxIterations {
		return nil, fmt.Errorf("%w: %d iterations of PBKDF2, the limit is %d", ErrHostileKeyFile, p.Iterations, maxIterations)
	}
	return func(secret []byte) ([]byte, error) {
		return pbkdf2.Key(prf, string(secret), p.Salt, p.Iterations, size)
	}, nil
}

func kdfScrypt(der []byte, size int) (func([]byte) ([]byte, error), error) {
	var p scryptParams
	if !unmarshal(der, &p) || (p.KeyLength != 0 && p.KeyLength != size) {
		return nil, errPBES2
	}
	if err := checkScrypt(p.N, p.R, p.P); err != nil {
		return nil, err
	}
	return func(secret []byte) ([]byte, error) {
		return scrypt.Key(secret, p.Salt, p.N, p.R, p.P, size)
	}, nil
}

// decryptCBC undoes AES-CBC with the padding of RFC 5652 section 6.3. It is no
// oracle for anybody: who asks has the file and chose the passphrase.
func decryptCBC(key []byte, algorithm pkix.AlgorithmIdentifier, data []byte) ([]byte, bool) {
	var iv []byte
	if !unmarshal(algorithm.Parameters.FullBytes, &iv) || len(iv) != aes.BlockSize {
		return nil, false
	}
	if len(data) == 0 || len(data)%aes.BlockSize != 0 {
		return nil, false
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, false
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > aes.BlockSize {
		return nil, false
	}
	body := plain[:len(plain)-pad]
	return body, bytes.Equal(plain[len(body):], bytes.Repeat([]byte{byte(pad)}, pad))
}

// unmarshal reads exactly one DER value.
func unmarshal(der []byte, v any) bool {
	rest, err := asn1.Unmarshal(der, v)
	return err == nil && len(rest) == 0
}
