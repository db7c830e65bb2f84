import Glibc
import Metainfo
import Wire

/// Which datasets are private here. docs/private.md.
///
/// That a dataset is private stands in two places: with its read key (`KeyFolder`), and in its own folder. So one
/// whose read key is lost is closed until somebody gives it back, and never taken for a public one.
extension StateFolder {
  /// The read key of a dataset; nil for one that is not known here as private. Where it is lost, or cannot be
  /// used, that is an error: whoever took the dataset for a public one would give it away.
  public func keptReadKey(of key: DatasetKey) throws(KeyError) -> ReadKey? {
    if let readKey = try keys.readKey(of: key) {
      // Kept by an earlier version of the program, or by one that was stopped before it came so far.
      try? mark(key, readKey)
      return readKey
    }
    if try privateMark(of: key) != nil { throw .lostReadKey(keys.readKeyFile(of: key), key) }
    return nil
  }

  /// Keeps a read key. Another one than that which there is, or was, is an error.
  public func keep(_ readKey: ReadKey, of key: DatasetKey) throws(KeyError) {
    if let mark = try privateMark(of: key), mark.count == ReadKey.byteCount,
      mark != PrivateKeys(readKey).discoveryID
    {
      throw .otherReadKey(key)
    }
    try keys.keep(readKey, of: key)
    try mark(key, readKey)
  }

  /// A new read key of a dataset, of which nobody else knows; the one that there is where there is one.
  func makeReadKey(of key: DatasetKey) throws(KeyError) -> ReadKey {
    if let known = try keptReadKey(of: key) { return known }
    let readKey = try keys.makeReadKey(of: key)
    try mark(key, readKey)
    return readKey
  }

  /// The private datasets that are known here, ascending; also those whose read key is lost.
  public func privateDatasets() throws(KeyError) -> [DatasetKey] {
    var found: Set<DatasetKey>
    do throws(SystemError) { found = Set(try keys.privateKeys()) } catch { throw .system(error) }
    let folder = path.appending(path: Array("datasets".utf8))
    guard let stream = folder.withCPath({ opendir($0) }) else {
      if errno == ENOENT { return Self.ascending(found) }
      throw .system(SystemError("read", folder))
    }
    defer { closedir(stream) }
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      guard name.count == 2 * DatasetKey.byteCount,
        let key = DatasetKey(hex: String(decoding: name, as: UTF8.self)),
        dataset(key).privateMarkPath.withCPath({ access($0, F_OK) }) == 0
      else { continue }
      found.insert(key)
    }
    return Self.ascending(found)
  }

  private static func ascending(_ keys: Set<DatasetKey>) -> [DatasetKey] {
    keys.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
  }

  /// What the mark in the dataset's folder says: by which discovery id it is known, where that can be read. nil
  /// where there is no mark.
  private func privateMark(of key: DatasetKey) throws(KeyError) -> [UInt8]? {
    do throws(SystemError) {
      let text = try WholeFile.read(
        dataset(key).privateMarkPath, limit: StateLimits.infohashBytes)
      return [UInt8](hex: String(decoding: text, as: UTF8.self).prefix { !$0.isNewline }) ?? []
    } catch {
      if error.number == ENOENT { return nil }
      throw .system(error)
    }
  }

  private func mark(_ key: DatasetKey, _ readKey: ReadKey) throws(KeyError) {
    let id = PrivateKeys(readKey).discoveryID
    if try privateMark(of: key) == id { return }
    let dataset = dataset(key)
    do throws(SystemError) {
      try Self.make(dataset.path)
      try WholeFile.write(
        Array("\(id.hex)\n".utf8), to: dataset.privateMarkPath, mode: 0o600)
    } catch { throw .system(error) }
  }
}
