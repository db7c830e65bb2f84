import Glibc
import Metainfo

/// Why a version cannot be published.
public enum PublicationError: Error, Hashable, Sendable, CustomStringConvertible {
  /// A system call failed.
  case system(SystemError)
  /// Somebody else publishes, or the state folder cannot be used.
  case state(StateError)
  /// The secret cannot be used.
  case key(KeyError)
  /// The secret is not here: where it would be.
  case noSecret([UInt8])
  /// A key that was made elsewhere, and nothing is known here of what was published under it.
  case unknownVersions(DatasetKey)
  /// The content cannot be hashed.
  case content(ContentImportError)
  /// The dataset's newest version has the last number that there is.
  case noMoreNumbers(DatasetKey)
  /// The message has so many bytes.
  case message(Int)
  /// What is at this path changed meanwhile.
  case changed([UInt8])
  /// Somebody else published this version meanwhile, with the same key.
  case overtaken(DatasetKey, UInt64)
  /// The path is published already, otherwise than is asked for: how.
  case otherSource([UInt8], String)
  /// The dataset's versions have this name, and another is asked for.
  case otherName(DatasetKey, [UInt8])
  /// It is to be private, and is known as public.
  case isPublic(DatasetKey)
  /// It would be public, and is what a private dataset has.
  case isPrivate(StateFolder.PrivateContent)
  /// What is to be shared has the keys of a state folder in it, or lies among them.
  case holdsKeys([UInt8])
  /// What is to be private is published for everybody already, with more around it or in part.
  case isPublicAround([UInt8], PublishedSource)
  /// A boot trace is to go with a version that is one file and no folder.
  case traceOfAFile
  /// A boot trace of a file that is not in the content.
  case traceOfNothing([UInt8])
  /// Two boot traces of one file.
  case traceTwice([UInt8])
  /// Something in the content is where a boot trace would be: the trace's place, and what is there.
  case traceInTheWay([UInt8], [UInt8])

  /// What is wrong, where, and what to do.
  public var description: String {
    switch self {
    case .system(let error): error.description
    case .state(.inUse(let process, let lock)):
      "another swarm" + (process.map { ", process \($0)," } ?? "")
        + " publishes a version of this dataset just now (\(printable(lock))); try again when it is "
        + "done"
    case .state(let error): error.description
    case .key(let error): error.description
    case .noSecret(let file):
      "the secret of this dataset's key is not here, so that nothing can be published: there is no "
        + "\(printable(file)); bring it by swarm key export and swarm key import"
    case .unknownVersions(let key):
      "nothing is known here of the versions of \(key): published now, a number could be used twice; "
        + "join the dataset first, by swarm join \(key)"
    case .content(let error): error.description
    case .noMoreNumbers(let key):
      "the newest version of \(key) has the last number that there is: publish under a new key"
    case .message(let count):
      "the message has \(count) bytes, more than \(VersionInfo.messageBytes)"
    case .changed(let path):
      "\(printable(path)) changed while it was hashed; try again when nothing writes to it"
    case .overtaken(let key, let number):
      "version \(number) of \(key) was published meanwhile by somebody with the same key; nothing was "
        + "published, look at it first"
    case .otherSource(let path, let how):
      "\(printable(path)) is published \(how), and stays so: to publish it differently, copy it to another path"
    case .otherName(let key, let name):
      "the versions of \(key) are called \"\(printable(name))\", and those who follow it have them by that "
        + "name: leave out --name"
    case .isPublic(let key):
      "the dataset \(key) is public, and what others were told cannot be taken back: publish a copy of it from "
        + "another path, which gets a key of its own"
    case .isPrivate(let content): "\(content)"
    case .holdsKeys(let path):
      "\(printable(path)) contains keys of a state folder: whoever fetched it could publish in your name. Share a "
        + "folder without them"
    case .isPublicAround(let path, let source):
      "\(printable(path)) overlaps \(printable(source.path)), which is published for everybody "
        + "(\(source.key.hex.prefix(12))…): make a private dataset of a copy at another path"
    case .traceOfAFile:
      "a boot trace goes beside its image, in a folder, and this dataset is one file: put the image into "
        + "a folder of its own and publish that"
    case .traceOfNothing(let path):
      "a boot trace is of a file of the dataset, and there is no \(printable(path)) in it"
    case .traceTwice(let path): "there are two boot traces of \(printable(path)); name one"
    case .traceInTheWay(let place, let path):
      "the boot trace would be \(printable(place)) of the dataset, and the folder has \(printable(path)) "
        + "itself: remove that, or publish it without --trace, where it is a boot trace it is used as one"
    }
  }

  static func wrap<Result>(
    _ body: () throws(SystemError) -> Result
  ) throws(PublicationError) -> Result {
    do throws(SystemError) { return try body() } catch { throw .system(error) }
  }

  static func wrap<Result>(
    _ body: () throws(StateError) -> Result
  ) throws(PublicationError) -> Result {
    do throws(StateError) { return try body() } catch { throw .state(error) }
  }

  static func wrap<Result>(
    _ body: () throws(KeyError) -> Result
  ) throws(PublicationError) -> Result {
    do throws(KeyError) { return try body() } catch { throw .key(error) }
  }

  static func wrap<Result>(
    _ body: () throws(ContentImportError) -> Result
  ) throws(PublicationError) -> Result {
    do throws(ContentImportError) { return try body() } catch { throw .content(error) }
  }
}

extension StateFolder {
  /// What a path is published as: as before, else from now on under `key`, or a new key where that is
  /// nil. What is asked for and is not as before is an error; so is a key of whose versions nothing is
  /// known. A dataset keeps the name that its versions have, from wherever it is published.
  ///
  /// - Parameters:
  ///   - path: the real path.
  ///   - isPrivate: whether it is to be a private dataset. It stays one without being told; one that is
  ///     public never becomes private, since what was told cannot be taken back.
  ///   - calledBy: the name that it has the first time, where none is asked for; nil for the path's.
  public func publish(
    _ path: [UInt8], key: DatasetKey?, name: [UInt8]?, kind: TorrentKind?, pieceLength: UInt64?,
    isPrivate: Bool = false, calledBy: [UInt8]? = nil
  ) throws(PublicationError) -> PublishedSource {
    // Two first times at once would make two keys, of which one is lost.
    let lock = try PublicationError.wrap { () throws(StateError) in try lockSources() }
    defer { withExtendedLifetime(lock) {} }
    if holdsKeys(path) { throw .holdsKeys(path) }
    if let source = publishedSource(at: path), try !canLeave(source, for: key) {
      if let key, key != source.key { throw .otherSource(path, "under the key \(source.key)") }
      if let name, name != source.name {
        throw .otherSource(path, "by the name \"\(printable(source.name))\"")
      }
      if let kind, kind != source.kind { throw .otherSource(path, "as \(source.kind)") }
      if let pieceLength, pieceLength != source.pieceLength {
        throw .otherSource(
          path,
          source.pieceLength.map { "with pieces of \($0) bytes" }
            ?? "with a piece length that the program chose")
      }
      if isPrivate { try makePrivate(source.key) }
      try checkPublic(path, as: source.key)
      return source
    }
    // Before a key is made.
    if key == nil, !isPrivate { try checkPublic(path, as: nil) }
    if isPrivate {
      let open = try PublicationError.wrap { () throws(KeyError) in try publicSource(around: path) }
      if let open { throw .isPublicAround(path, open) }
    }
    var kind = kind
    var ownName: [UInt8] = try PublicationError.wrap { () throws(SystemError) in
      if let name = name ?? calledBy { return name }
      return try RealPath.lastName(of: path)
    }
    let keys = self.keys
    let secret = try PublicationError.wrap { () throws(KeyError) -> DatasetSecret? in
      if let key { return try keys.secret(of: key) }
      return try keys.make()
    }
    guard let secret else { throw .noSecret(key.map(keys.file(of:)) ?? keys.path) }
    if let key {
      let dataset = dataset(key)
      let head = try PublicationError.wrap { () throws(SystemError) in try dataset.head() }
      guard let head else { throw .unknownVersions(key) }
      if let before = head.infohashV2.flatMap({ keptVersion($0)?.torrent.info.name.bytes }) {
        if let name, name != before { throw .otherName(key, before) }
        ownName = before
      }
      // Who follows the dataset with a client of v1 goes on to.
      if kind == nil { kind = head.infohashV2.flatMap { keptVersion($0)?.torrent.info.kind } }
    }
    // Before anything is known under the key: whatever stops this, it does not become public.
    if isPrivate { try makePrivate(secret.key) }
    try checkPublic(path, as: secret.key)
    let source = PublishedSource(
      path: path, key: secret.key, name: ownName, kind: kind ?? .v2, pieceLength: pieceLength)
    try PublicationError.wrap { () throws(SystemError) in try remember(source) }
    return source
  }

  /// The dataset of a key has a read key from now on, if nobody can know it as a public one.
  private func makePrivate(_ key: DatasetKey) throws(PublicationError) {
    let dataset = dataset(key)
    let known = try PublicationError.wrap { () throws(KeyError) in try keptReadKey(of: key) }
    if known != nil { return }
    let versions = try PublicationError.wrap { () throws(SystemError) in
      try (dataset.head() != nil, dataset.versions())
    }
    if versions.0 || !versions.1.isEmpty { throw .isPublic(key) }
    _ = try PublicationError.wrap { () throws(KeyError) in try makeReadKey(of: key) }
  }

  /// Throws where the dataset is private and cannot be opened: no version of it is made then. Throws also where it
  /// is public, or not known yet (nil), and what is at the path is a private one's.
  private func checkPublic(_ path: [UInt8], as key: DatasetKey?) throws(PublicationError) {
    let found = try PublicationError.wrap { () throws(KeyError) -> PrivateContent? in
      if let key, try keptReadKey(of: key) != nil { return nil }
      return try privateContent(around: path)
    }
    if let found { throw .isPrivate(found) }
  }

  /// Whether a path may go over to another dataset, whose key is named: it was published once at the most, which
  /// may have been by mistake.
  private func canLeave(
    _ source: PublishedSource, for key: DatasetKey?
  ) throws(PublicationError) -> Bool {
    guard let key, key != source.key else { return false }
    let dataset = dataset(source.key)
    let head = try PublicationError.wrap { () throws(SystemError) in try dataset.head() }
    return (head?.version ?? 0) <= 1
  }

  /// Forgets that a path was to be published where nothing was: its key, of which nobody can know, goes as well.
  public func forget(unpublished source: PublishedSource) {
    guard let lock = try? lockSources() else { return }
    defer { withExtendedLifetime(lock) {} }
    let dataset = dataset(source.key)
    guard publishedSource(at: source.path) == source,
      let publishing = try? dataset.lockForPublishing(), dataset.isUntouched
    else { return }
    defer { withExtendedLifetime(publishing) {} }
    forget(source.path)
    dataset.removeUntouched()
    for file in [keys.readKeyFile(of: source.key), keys.file(of: source.key)] {
      _ = file.withCPath { unlink($0) }
    }
  }
}
