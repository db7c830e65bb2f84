import Metainfo
import Testing

@testable import SwarmNode

@Suite struct SealedHeadsTests {
  private let secret = DatasetSecret(seed: [UInt8](repeating: 1, count: 32))!
  private let other = DatasetSecret(seed: [UInt8](repeating: 2, count: 32))!
  private let readKey = ReadKey([UInt8](repeating: 3, count: 32))!

  private func head(_ secret: DatasetSecret, _ number: Int64 = 1) throws -> MutableItem {
    try Head(version: number, infohash: SHA256Digest(hashing: [1]), signedBy: secret).item
  }

  @Test func whatIsStoredIsOpenedAgain() throws {
    var heads = SealedHeads()
    let made = heads.add(secret.key, salt: [], readKey)
    let box = try #require(made)
    #expect(heads.isPrivate(secret.key) && !heads.isPrivate(other.key))
    let head = try head(secret, 9)
    let sealed = try #require(try heads.seal(head, with: secret))
    #expect(sealed.key == box.key && sealed.key != secret.key)
    #expect(heads.opened(sealed) == head)
    // Another's, which is public.
    let open = try self.head(other)
    #expect(heads.opened(open) == open)
    #expect(try heads.seal(open, with: other) == nil)
    #expect(try heads.seal(head, with: other) == nil)
  }

  @Test func whatDoesNotOpenIsNothing() throws {
    var heads = SealedHeads()
    let made = heads.add(secret.key, salt: [], readKey)
    let box = try #require(made)
    let head = try head(secret)
    let sealed = try #require(try heads.seal(head, with: secret))
    // Signed by the disguise, as only the owner can, and empty.
    let blinded = try #require(BlindedKey(secret.key, readKey))
    let value = BencodeValue.text("nothing").encoded
    let message =
      Array("4:salt\(box.salt.count):".utf8) + box.salt + Array("3:seqi5e1:v".utf8) + value
    let empty = try MutableItem(
      key: box.key, salt: box.salt, sequence: 5, value: value,
      signature: blinded.sign(message, with: secret))
    #expect(heads.opened(empty) == nil)
    let removed = heads.remove(secret.key)
    let again = heads.remove(secret.key)
    #expect(removed?.key == box.key && again == nil && !heads.isPrivate(secret.key))
    // What comes late is some item, and no head of anything that is followed.
    #expect(heads.opened(sealed) == sealed)
  }

  /// Of a key that is no point of the curve nothing is asked for in the open either.
  @Test func aKeyThatNobodyCanSignByStaysPrivate() throws {
    var heads = SealedHeads()
    let zeros = [UInt8](repeating: 0, count: 31)
    let candidates = (2...255).compactMap { DatasetKey([UInt8($0)] + zeros) }
    let key = try #require(candidates.first { SealedHeadBox($0, readKey) == nil })
    let box = heads.add(key, salt: [], readKey)
    #expect(box == nil && heads.isPrivate(key))
    _ = heads.remove(key)
    #expect(!heads.isPrivate(key))
  }
}
