import Glibc
import Metainfo

/// What the state folder has about a dataset by its key: the newest head and the versions it knows.
///
///     datasets/<key>/head           the newest signed head that was seen, as the DHT has it
///     datasets/<key>/head.damaged   what was found in its place and is none
///     datasets/<key>/head.sealed    the item of the DHT that a head of a private dataset came in
///     datasets/<key>/private        of a private dataset: its discovery id in hexadecimal digits
///     datasets/<key>/versions/<n>   the v2 infohash of version n in hexadecimal digits
///     datasets/<key>/prepared       that of a version which is whole here and was not published yet
///     datasets/<key>/shipped/       files of versions that are not in the publisher's folder (boot traces)
///     datasets/<key>/lock           held while one of these is written
///     datasets/<key>/publishing     held by the process that publishes
///
/// What a version is made of lies under its own infohash.
///
/// Invariants: a head is never replaced by one with a smaller number, and never by another of the same
/// number. For each version in `versions` a signed head has vouched, itself or by those before it.
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

  private var damagedPath: [UInt8] { path.appending(path: Array("head.damaged".utf8)) }

  /// The newest head; nil when there is none. A file that holds none, or one that the key did not sign,
  /// is an error, also once it was set aside: whoever took it for none could publish a number twice.
  public func head() throws(SystemError) -> Head? {
    let head = try readHead()
    var status = stat()
    if damagedPath.withCPath({ lstat($0, &status) }) != 0 { return head }
    // What came in its place may be older than it was.
    if let head, UInt64(clamping: head.version) >= newestVersion { return head }
    throw SystemError(
      "use", damagedPath, EINVAL,
      detail: "it was the newest head and is damaged; nothing can be published before another node "
        + "has told a right one, as to swarm join, or this is removed")
  }

  /// The newest head for whoever follows the dataset, and publishes nothing: one that is damaged is set
  /// aside, and counts as none from then on.
  ///
  /// - Parameter warn: told in a line that it was.
  public func followedHead(_ warn: (String) -> Void) throws(SystemError) -> Head? {
    do throws(SystemError) {
      return try readHead()
    } catch {
      guard error.isDamage else { throw error }
    }
    return try locked { () throws(SystemError) -> Head? in
      // Another process may have put a right one there.
      do throws(SystemError) { return try readHead() } catch {
        guard error.isDamage else { throw error }
        let moved = headPath.withCPath { old in damagedPath.withCPath { rename(old, $0) } }
        guard moved == 0 else { throw SystemError("set aside", headPath) }
        warn("\(error); it is \(printable(damagedPath)) now, and others are asked for a right one")
        return nil
      }
    }
  }

  /// The largest number of a version that is known; 0 for none.
  private var newestVersion: UInt64 { ((try? versions()) ?? []).max() ?? 0 }

  /// The head in its file; nil when there is no file.
  private func readHead() throws(SystemError) -> Head? {
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
        detail: "it is no head that the key signed; swarm join gets a right one from other nodes")
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

  /// Keeps a head if it is newer than the one that is there, and as what version it leads to.
  ///
  /// Precondition: the head is of this key.
  public func keep(head: Head) throws(SystemError) -> Keeping {
    precondition(head.key == key, "a head of another dataset")
    return try locked { () throws(SystemError) -> Keeping in
      var result = Keeping.kept
      var newest: Head?
      do throws(SystemError) { newest = try readHead() } catch {
        guard error.isDamage else { throw error }
        // For who follows any is better than none; who publishes must know that it may be an old one.
        _ = headPath.withCPath { old in damagedPath.withCPath { rename(old, $0) } }
      }
      if let newest {
        if newest.version > head.version { return .older(than: newest.version) }
        if newest.version == head.version {
          guard newest.item.value == head.item.value, newest.item.salt == head.item.salt else {
            return .contradicts(newest)
          }
          result = .known
        }
      }
      if result == .kept { try WholeFile.write(head.item.stored, to: headPath) }
      // After the head, which vouches for it; again where that was stopped in between.
      if let infohash = head.infohashV2, head.version > 0 {
        try write(infohash, to: file(of: UInt64(head.version)))
      }
      return result
    }
  }

  // MARK: Private datasets

  /// Where it stands that the dataset is private. `StateFolder.keptReadKey`.
  var privateMarkPath: [UInt8] { path.appending(path: Array("private".utf8)) }

  private var sealedPath: [UInt8] { path.appending(path: Array("head.sealed".utf8)) }

  /// The item that a head of the private dataset came in, from the DHT: whoever has it can store it there again,
  /// and only the owner can make one. nil where there is none. What it holds is for its reader to judge.
  public func sealedHead() -> MutableItem? {
    (try? WholeFile.read(sealedPath, limit: StateLimits.headBytes)).flatMap {
      MutableItem(stored: $0)
    }
  }

  /// Keeps such an item, if it is newer than the one that is there.
  public func keep(sealed item: MutableItem) throws(SystemError) {
    try locked { () throws(SystemError) in
      if let known = sealedHead(), known.key == item.key, known.sequence >= item.sequence { return }
      try WholeFile.write(item.stored, to: sealedPath)
    }
  }

  // MARK: Versions

  /// The infohash of a version; nil when it is not known.
  public func version(_ number: UInt64) -> SHA256Digest? { infohash(in: file(of: number)) }

  private func infohash(in file: [UInt8]) -> SHA256Digest? {
    guard let text = try? WholeFile.read(file, limit: StateLimits.infohashBytes),
      text.last == UInt8(ascii: "\n")
    else { return nil }
    return [UInt8](hex: String(decoding: text.dropLast(), as: UTF8.self)).flatMap {
      SHA256Digest($0)
    }
  }

  private func write(_ infohash: SHA256Digest, to file: [UInt8]) throws(SystemError) {
    if self.infohash(in: file) == infohash { return }
    try WholeFile.write(Array(infohash.hex.utf8) + [UInt8(ascii: "\n")], to: file)
  }

  /// The numbers of the versions that are known, ascending.
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

  /// Keeps the infohash of a version, for which a head vouches.
  public func keep(version number: UInt64, infohash: SHA256Digest) throws(SystemError) {
    try locked { () throws(SystemError) in try write(infohash, to: file(of: number)) }
  }

  /// The infohash of a version that is whole here and that no head vouches for yet: what an attempt to
  /// publish has left that did not come to its end. nil when there is none.
  var prepared: SHA256Digest? { infohash(in: preparedPath) }

  /// Keeps what is about to be published; nil once it is.
  func keep(prepared infohash: SHA256Digest?) throws(SystemError) {
    if let infohash { return try write(infohash, to: preparedPath) }
    if preparedPath.withCPath({ unlink($0) }) != 0, errno != ENOENT {
      throw SystemError("remove", preparedPath)
    }
  }

  private var preparedPath: [UInt8] { path.appending(path: Array("prepared".utf8)) }

  /// Whether nothing was ever published of it, or seen, or made ready for that.
  var isUntouched: Bool {
    let files = [headPath, damagedPath, sealedPath, preparedPath]
    return !files.contains(where: StateFolder.isThere) && (try? versions())?.isEmpty == true
  }

  /// Removes what there is of one that is untouched.
  func removeUntouched() {
    for name in ["private", "lock", "publishing"] {
      _ = path.appending(path: Array(name.utf8)).withCPath { unlink($0) }
    }
    for folder in [versionsPath, path] { _ = folder.withCPath { rmdir($0) } }
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
    let lock = try FileLock(path.appending(path: Array("publishing".utf8)), waits: false)
    for folder in [path, versionsPath] { Leftovers.remove(from: folder) }
    return PublishingLock(lock)
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
