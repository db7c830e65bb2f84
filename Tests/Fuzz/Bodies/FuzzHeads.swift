import Metainfo
import Swarm
import Wire

/// The first byte says what the rest is: a message, a value that is signed, or heads that a node is
/// offered one after the other, or a sealed head that somebody has changed.
func fuzzHeads(_ bytes: UnsafeRawBufferPointer) {
  guard let first = bytes.first else { return }
  let rest = Array(bytes.dropFirst())
  if first >= 0xf0 { return checkSealedHead(rest) }
  switch first % 3 {
  case 0: checkHeadMessage(rest)
  case 1: checkHeadValue(rest)
  default: checkHeadOrder(rest)
  }
}

/// What is read and written again reads the same; nothing is an item that its owner has not signed.
private func checkHeadMessage(_ payload: [UInt8]) {
  do throws(ExtensionError) {
    let message = try HeadMessage(payload: payload.span.bytes)
    let again = try HeadMessage(payload: message.encoded.span.bytes)
    demand(again == message)
    if let item = try? message.item {
      demand(HeadMessage(item) == message)
    }
  } catch {
    demand((0...payload.count).contains(error.offset) && !error.description.isEmpty)
  }
}

/// Every value that can be signed is a head or an error.
private func checkHeadValue(_ value: [UInt8]) {
  guard let secret = fuzzSecret else { return }
  do {
    let head = try Head(MutableItem(signedBy: secret, sequence: 1, value: value))
    demand(head.item.value == value && head.key == secret.key)
    if let whole = head.infohashV2 { demand(whole.truncated == head.infohash) }
  } catch {
    demand(!"\(error)".isEmpty)
  }
}

/// Pairs of bytes: a number, and which of some values. The node's head is the first of those with the
/// largest number, however they come.
private func checkHeadOrder(_ bytes: [UInt8]) {
  guard let secret = fuzzSecret, let peer = PeerID(Array("-SW0001-fuzzingheads".utf8)) else {
    return
  }
  var swarm = Swarm(configuration: SwarmConfiguration(peerID: peer), seed: 1)
  swarm.follow(secret.key, now: .zero)
  var newest: MutableItem?
  var twice: Set<Int64> = []
  for pair in stride(from: 0, to: min(bytes.count - 1, 60), by: 2) {
    let sequence = Int64(bytes[pair])
    // Some are no heads.
    let value: [UInt8] =
      bytes[pair + 1] % 5 == 4
      ? Array("i\(bytes[pair + 1])e".utf8)
      : Array("d2:ih20:".utf8) + [UInt8](repeating: bytes[pair + 1] % 5, count: 20) + [0x65]
    guard let item = try? MutableItem(signedBy: secret, sequence: sequence, value: value) else {
      demand(false, "cannot sign")
      return
    }
    let verdict = swarm.offer(item, now: .zero)
    let isHead = (try? Head(item)) != nil
    let known = newest?.sequence ?? -1
    if sequence < known {
      demand(verdict == .older)
    } else if sequence == known {
      demand(verdict == (item == newest ? .known : .keyUsedTwice))
      if item != newest { twice.insert(sequence) }
    } else if isHead {
      demand(verdict == .newer)
      newest = item
    } else {
      demand(verdict != .newer)
    }
    demand(swarm.status(of: secret.key)?.head?.item == newest)
    demand(
      swarm.status(of: secret.key)?.isKeyUsedTwice == twice.contains(newest?.sequence ?? -1))
  }
}

/// A sealed head of a private dataset, changed and signed again by its owner: only what was not changed opens.
private func checkSealedHead(_ bytes: [UInt8]) {
  guard let secret = fuzzSecret, let readKey = ReadKey([UInt8](repeating: 9, count: 32)),
    let box = SealedHeadBox(secret.key, readKey), let blinded = BlindedKey(secret.key, readKey),
    let head = try? Head(
      version: 1 + Int64(bytes.first ?? 0), infohash: SHA256Digest(hashing: bytes),
      signedBy: secret),
    let sealed = try? box.seal(head, with: secret)
  else { return demand(false, "cannot seal") }
  demand((try? box.open(sealed)) == head, "sealed and not opened")
  var value = sealed.value
  var sequence = sealed.sequence
  for triple in stride(from: 1, to: min(bytes.count - 2, 31), by: 3) {
    let place = Int(bytes[triple]) << 8 | Int(bytes[triple + 1])
    switch place >> 12 {
    case 0..<8: value[place % value.count] ^= bytes[triple + 2]
    case 8..<11: value.append(bytes[triple + 2])
    case 11..<14: value.removeLast(min(value.count - 1, Int(bytes[triple + 2])))
    default: sequence = max(0, sequence &+ Int64(Int8(bitPattern: bytes[triple + 2])))
    }
  }
  // BEP 44, "Signature verification".
  let message =
    Array("4:salt\(sealed.salt.count):".utf8) + sealed.salt
    + Array("3:seqi\(sequence)e1:v".utf8) + value
  // What is no value of BEP 44 never gets as far.
  guard
    let item = try? MutableItem(
      key: sealed.key, salt: sealed.salt, sequence: sequence, value: value,
      signature: blinded.sign(message, with: secret))
  else { return }
  let isOpen = (try? box.open(item)) != nil
  demand(isOpen == (value == sealed.value && sequence == sealed.sequence), "changed, and opened")
}

private let fuzzSecret = DatasetSecret(
  seed: [UInt8](repeating: 7, count: DatasetSecret.seedByteCount))
