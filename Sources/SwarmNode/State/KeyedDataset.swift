import Glibc
import Metainfo

/// What the state folder has about a dataset by its key: the newest head and the versions it knows.
///
///     datasets/<key>/head           the newest signed head that was seen, as the DHT has it
///     datasets/<key>/versions/<n>   the v2 infohash of version n in hexadecimal digits
///     datasets/<key>/shipped/       files of versions that are not in the publisher's folder (boot traces)
///     datasets/<key>/lock           held while one of these is written
///     datasets/<key>/publishing     held by the process that publishes
///
/// What a version is made of lies under its own infohash.
///
/// Invariant: a head is never replaced by one with a smaller number, and never by another of the same
/// number.
public struct KeyedDataset: Sendable {
  /// The dataset.
  public let key: DatasetKey
  /// Its folder.
  public let path: [UInt8]

  init(key: DatasetKey, datasets: [UInt8]) {
    self.key = key
    path = datasets.appending(path: Array(key.hex.utf8))
  }

  // MARK: The head

  /// Where the head is kept: for whoever watches for a new one.
  public var headPath: [UInt8] { path.appending(path: Array("head".utf8)) }

  /// The newest head; nil when there is none. A file that holds none, or one that the key did not sign,
  /// is an error: whoever took it for none could publish a number twice.
  public func head() throws(SystemError) -> Head? {
    let bytes: [UInt8]
    do throws(SystemError) {
      bytes = try WholeFile.read(headPath, limit: StateLimits.headBytes)
    } catch {
      if error.number == ENOENT { return nil }
      throw error
    }
    guard let item = MutableItem(stored: bytes), item.key == key, let head = try? Head(item) else {
      throw SystemError(
        "read", headPath, EINVAL,
        detail: "it is no head that the key signed; remove it when another node has a right one")
    }
    return head
  }

  /// What became of a head that was to be kept.
  public enum Keeping: Hashable, Sendable {
    /// It is the newest now.
    case kept
    /// It was there already.
    case known
    /// One with a larger number is there.
    case older(than: Int64)
    /// One with the same number and another value is there: the key was used twice.
    case contradicts(Head)
  }

  /// Keeps a head if it is newer than the one that is there.
  ///
  /// Precondition: the head is of this key.
  public func keep(head: Head) throws(SystemError) -> Keeping {
    precondition(head.key == key, "a head of another dataset")
    return try locked { () throws(SystemError) -> Keeping in
      // In place of a damaged one any is better.
      if let newest = (try? self.head()) ?? nil {
        if newest.version > head.version { return .older(than: newest.version) }
        if newest.version == head.version {
          return newest.item.value == head.item.value && newest.item.salt == head.item.salt
            ? .known : .contradicts(newest)
        }
      }
      try WholeFile.write(head.item.stored, to: headPath)
      return .kept
    }
  }

  // MARK: Versions

  /// The infohash of a version; nil when it is not known.
  public func version(_ number: UInt64) -> SHA256Digest? {
    guard let text = try? WholeFile.read(file(of: number), limit: StateLimits.infohashBytes),
      text.last == UInt8(ascii: "\n")
    else { return nil }
    return [UInt8](hex: String(decoding: text.dropLast(), as: UTF8.self)).flatMap {
      SHA256Digest($0)
    }
  }

  /// The numbers of the versions that are known, ascending. Versions above that of the head were
  /// never published: what an attempt that did not come to its end has left.
  public func versions() throws(SystemError) -> [UInt64] {
    let scan: Scan
    do throws(SystemError) {
      scan = try FolderScanner.scan(versionsPath)
    } catch {
      if error.number == ENOENT { return [] }
      throw error
    }
    return scan.items.compactMap { item in
      guard item.names.count == 1 else { return nil }
      let name = String(decoding: item.names[0], as: UTF8.self)
      guard let number = UInt64(name), "\(number)" == name, number > 0 else { return nil }
      return version(number) == nil ? nil : number
    }.sorted()
  }

  /// Keeps the infohash of a version.
  public func keep(version number: UInt64, infohash: SHA256Digest) throws(SystemError) {
    try locked { () throws(SystemError) in
      if version(number) == infohash { return }
      try WholeFile.write(
        Array(infohash.hex.utf8) + [UInt8(ascii: "\n")], to: file(of: number))
    }
  }

  private var versionsPath: [UInt8] { path.appending(path: Array("versions".utf8)) }

  private func file(of number: UInt64) -> [UInt8] {
    versionsPath.appending(path: Array("\(number)".utf8))
  }

  // MARK: Locks

  /// While this value is there, no other process publishes versions of the dataset.
  public final class PublishingLock: Sendable {
    private let lock: FileLock

    fileprivate init(_ lock: consuming FileLock) { self.lock = lock }
  }

  /// Holds the dataset against others who would publish; throws who does.
  public func lockForPublishing() throws(StateError) -> PublishingLock {
    do throws(SystemError) {
      try StateFolder.make(versionsPath)
    } catch {
      throw .system(error)
    }
    return PublishingLock(
      try FileLock(path.appending(path: Array("publishing".utf8)), waits: false))
  }

  /// Runs `body` while no other process writes. What it does is short: nobody waits for long.
  private func locked<Result>(
    _ body: () throws(SystemError) -> Result
  ) throws(SystemError) -> Result {
    try StateFolder.make(versionsPath)
    let lock: FileLock
    do throws(StateError) {
      lock = try FileLock(path.appending(path: Array("lock".utf8)), waits: true)
    } catch {
      guard case .system(let reason) = error else {
        preconditionFailure("who waits is never refused")
      }
      throw reason
    }
    let result = try body()
    withExtendedLifetime(lock) {}
    return result
  }
}

extension MutableItem {
  /// The item as the state folder has it: with the keys of BEP 44.
  var stored: [UInt8] {
    var encoder = BencodeEncoder()
    encoder.beginDictionary()
    encoder.key("k")
    encoder.string(key.bytes)
    if !salt.isEmpty {
      encoder.key("salt")
      encoder.string(salt)
    }
    encoder.key("seq")
    encoder.integer(sequence)
    encoder.key("sig")
    encoder.string(signature.bytes)
    encoder.key("v")
    encoder.encoded(value)
    encoder.end()
    return encoder.bytes
  }

  /// An item from what `stored` gave; nil when it is none, or not signed by its key.
  init?(stored bytes: [UInt8]) {
    guard let node = try? Bencode.decode(bytes),
      let key = node["k"]?.string.flatMap({ DatasetKey($0) }),
      let sequence = node["seq"]?.integer,
      let signature = node["sig"]?.string.flatMap({ Signature($0) }), let value = node["v"]
    else { return nil }
    let salt = node["salt"]?.string.map(Array.init) ?? []
    guard
      let item = try? MutableItem(
        key: key, salt: salt, sequence: sequence, value: Array(value.encoded), signature: signature)
    else { return nil }
    self = item
  }
}
