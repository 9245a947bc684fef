// Digests and encodings against published vectors.
import Testing

@testable import Wire

/// The macs of the worked example in the protocol document, computed by an independent program.
enum TestVector {
    static let coordinatorMAC =
        "749160c6686fcd6d44e6f1c68c032f2ccf0b6c21af4ab3d38ef029c408c26b45"
    static let peerMAC =
        "cf726fd965104f387729b62cd3660bb81bfbd63a5201b8218f068ee0d4c0afc0"
}

@Suite("Digests and encodings")
struct DigestTests {
    @Test("HMAC-SHA-256 matches RFC 4231")
    func hmac() {
        let first = HMAC.sha256(
            key: [UInt8](repeating: 0x0B, count: 20),
            of: Array("Hi There".utf8)
        )
        #expect(
            Hex.encode(first)
                == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        )
        let second = HMAC.sha256(
            key: Array("Jefe".utf8),
            of: Array("what do ya want for nothing?".utf8)
        )
        #expect(
            Hex.encode(second)
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        )
        let sixth = HMAC.sha256(
            key: [UInt8](repeating: 0xAA, count: 131),
            of: Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8)
        )
        #expect(
            Hex.encode(sixth)
                == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        )
    }

    @Test("HMAC of nothing under no key is defined")
    func emptyHMAC() {
        #expect(
            Hex.encode(HMAC.sha256(key: [], of: []))
                == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"
        )
    }

    @Test("SHA-256 matches FIPS 180-2, in one piece and in many")
    func sha256() {
        let text = Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8)
        let digest = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        #expect(Hex.encode(SHA256.digest(of: text)) == digest)
        #expect(
            Hex.encode(SHA256.digest(of: []))
                == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        )
        var hash = SHA256()
        for byte in text {
            hash.update([byte])
            _ = hash.digest()
        }
        #expect(Hex.encode(hash.digest()) == digest)
    }

    @Test("A copy of an unfinished digest is independent")
    func digestIsAValue() {
        var first = SHA256()
        first.update([1])
        var second = first
        second.update([2])
        #expect(first.digest() == SHA256.digest(of: [1]))
        #expect(second.digest() == SHA256.digest(of: [1, 2]))
    }

    @Test("Base64 matches RFC 4648")
    func base64() {
        let pairs = [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
        ]
        for (plain, text) in pairs {
            #expect(Base64.encode(Array(plain.utf8)) == Array(text.utf8))
            #expect(Base64.decode(Array(text.utf8)) == Array(plain.utf8))
        }
        for count in 0...300 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 151 &+ count) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
        }
    }

    @Test(
        "Refuses invalid base64",
        arguments: [
            "Z", "Zg", "Zg=", "Zg===", "====", "Z===", "Zg==Zg==", "Zm 9v", "Zm9v\n", "Zm9-",
        ]
    )
    func refusesOtherText(_ text: String) {
        #expect(Base64.decode(Array(text.utf8)) == nil)
    }

    @Test("Reads hex digits of either case and writes lower case")
    func hex() {
        #expect(Hex.encode([0, 0x9A, 0xBC, 0xDE, 0xFF]) == "009abcdeff")
        #expect(Hex.decode("009aBCdeFf".utf8) == [0, 0x9A, 0xBC, 0xDE, 0xFF])
        for wrong in ["0", "0g", "0 ", "+1"] {
            #expect(Hex.decode(wrong.utf8) == nil)
        }
    }

    @Test("Random bytes differ from each other")
    func random() {
        #expect(SecureRandom.bytes(32).count == 32)
        #expect(SecureRandom.bytes(32) != SecureRandom.bytes(32))
        #expect(SecureRandom.bytes(0) == [])
    }

    @Test("Comparison in constant time compares")
    func comparison() {
        #expect(constantTimeEqual([1, 2], [1, 2]))
        #expect(constantTimeEqual([], []))
        #expect(!constantTimeEqual([1, 2], [1, 3]))
        #expect(!constantTimeEqual([1, 2], [1, 2, 3]))
    }
}
