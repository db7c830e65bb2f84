import Glibc
import Metainfo

/// What content a path has to do with: what is private must not be shared otherwise by the way, and what
/// others publish is not ours to publish by accident.
extension StateFolder {
  /// Content of a private dataset, and how a path lies to it.
  public struct PrivateContent: Hashable, Sendable, CustomStringConvertible {
    /// The path that somebody wants to share.
    public let path: [UInt8]
    /// Where the private content is: at `path`, below it or above it.
    public let content: [UInt8]
    /// Its dataset.
    public let key: DatasetKey
    /// Where it was before, if it was moved to the path.
    public var movedFrom: [UInt8]?

    /// What is wrong, and what to do.
    public var description: String {
      let short = key.hex.prefix(12) + "…"
      if let movedFrom {
        return "\(printable(path)) is the private dataset (\(short)) that was at "
          + "\(printable(movedFrom)): to go on with it, swarm publish \(printable(path)) --key \(key)"
      }
      let what =
        if content == path {
          "\(printable(path)) is a private dataset (\(short))"
        } else if path.isAtOrBelow(content) {
          "\(printable(path)) is in the private dataset \(printable(content)) (\(short))"
        } else {
          "\(printable(path)) contains the private dataset \(printable(content)) (\(short))"
        }
      return what
        + ": shared without its key, everybody could find and read it. Share a copy from another path if "
        + "that is meant"
    }
  }

  /// The private dataset of which there is content at a real path, below it or above it: published from there,
  /// or fetched to there. nil where there is none.
  public func privateContent(around path: [UInt8]) throws(KeyError) -> PrivateContent? {
    let keys = try privateDatasets()
    if keys.isEmpty { return nil }
    do throws(SystemError) {
      let published = try publishedSources().map { (path: $0.path, owner: $0.key.hex) }
      let fetched = try places().map { (path: Self.real($0.path), owner: $0.owner) }
      var (around, gone): ([(path: [UInt8], owner: String)], [(path: [UInt8], owner: String)]) =
        ([], [])
      for place in published + fetched {
        if !Self.leadsSomewhere(place.path) {
          gone.append(place)
        } else if place.path.isAtOrBelow(path) || path.isAtOrBelow(place.path) {
          around.append(place)
        }
      }
      if around.isEmpty && gone.isEmpty { return nil }
      var owners: [String: DatasetKey] = [:]
      for key in keys {
        owners[key.hex] = key
        for infohash in infohashes(of: key) { owners[infohash.hex] = key }
      }
      for place in around {
        guard let key = owners[place.owner] else { continue }
        return PrivateContent(path: path, content: place.path, key: key)
      }
      for place in gone {
        guard let key = owners[place.owner], wasMoved(from: place.path, of: key, to: path)
        else { continue }
        return PrivateContent(path: path, content: path, key: key, movedFrom: place.path)
      }
      return nil
    } catch { throw .system(error) }
  }

  /// Whether files at a path are those that a dataset had somewhere else, where nothing is any more: a move keeps
  /// inode, size and time, a copy does not. A few of them tell.
  private func wasMoved(from former: [UInt8], of key: DatasetKey, to path: [UInt8]) -> Bool {
    for infohash in infohashes(of: key) {
      guard let record = keptVersion(infohash, content: former)?.record else { continue }
      let files = record.items.lazy.filter { $0.evidence != nil }.prefix(Self.comparedFiles)
      for item in files {
        let place = item.path.isEmpty ? path : path.appending(path: item.path)
        var found = stat()
        guard let before = item.evidence, place.withCPath({ lstat($0, &found) }) == 0 else {
          continue
        }
        let modified = Int64(found.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(found.st_mtim.tv_nsec)
        // All three: inodes of what was removed are given out again.
        if UInt64(found.st_ino) == before.inode, UInt64(clamping: found.st_size) == before.size,
          modified == before.modified
        {
          return true
        }
      }
    }
    return false
  }

  /// Of a version that may have been moved, so many files are looked for.
  private static let comparedFiles = 64

  /// Whether the keys of this state folder, or of the one that is used where none is named, lie at a real path,
  /// below it or above it: whoever shared it would give them to everybody.
  public func holdsKeys(_ path: [UInt8]) -> Bool {
    let folders = [self.path, Self.standardPath(Self.environment)].compactMap { $0 }
    return folders.contains { folder in
      let keys = Self.real(folder.appending(path: Array("keys".utf8)))
      return keys.isAtOrBelow(path) || path.isAtOrBelow(keys)
    }
  }

  /// A public dataset that is published from a real path, from below it or above it, and is there; nil where none is.
  func publicSource(around path: [UInt8]) throws(KeyError) -> PublishedSource? {
    let hidden = Set(try privateDatasets())
    do throws(SystemError) {
      return try publishedSources().first {
        !hidden.contains($0.key) && $0.path != path
          && ($0.path.isAtOrBelow(path) || path.isAtOrBelow($0.path)) && Self.isThere($0.path)
      }
    } catch { throw .system(error) }
  }

  /// Which version of which dataset was fetched to a real path, or to a folder above it; nil where none was.
  public func fetchedVersion(at path: [UInt8]) -> (key: DatasetKey, number: UInt64)? {
    let owners = Set(
      ((try? places()) ?? []).filter { path.isAtOrBelow(Self.real($0.path)) }.map(\.owner))
    if owners.isEmpty { return nil }
    for key in followedDatasets {
      let dataset = dataset(key)
      for number in (try? dataset.versions()) ?? [] {
        if let infohash = dataset.version(number), owners.contains(infohash.hex) {
          return (key, number)
        }
      }
    }
    return nil
  }

  /// What is published from a folder above a real path, or from the path itself; nil where nothing is. What is not
  /// there any more does not count.
  public func publishedSource(around path: [UInt8]) throws(SystemError) -> PublishedSource? {
    try publishedSources().first { path.isAtOrBelow($0.path) && Self.isThere($0.path) }
  }

  /// Whether something of one of these owners, keys or infohashes, was fetched into a real path before.
  public func hasFetched(into directory: [UInt8], _ key: DatasetKey?, _ name: DatasetName) -> Bool {
    let owners = [key?.hex, name.folder].compactMap { $0 }
    return ((try? places()) ?? []).contains {
      owners.contains($0.owner) && $0.path.isAtOrBelow(directory) && Self.isThere($0.path)
    }
  }

  private func infohashes(of key: DatasetKey) -> [SHA256Digest] {
    let dataset = dataset(key)
    let numbered = ((try? dataset.versions()) ?? []).compactMap { dataset.version($0) }
    let newest = (((try? dataset.head()) ?? nil)?.infohashV2).map { [$0] }
    return numbered + (newest ?? [])
  }

  /// Datasets of which a head was seen, published here or not.
  private var followedDatasets: [DatasetKey] {
    guard
      let stream = path.appending(path: Array("datasets".utf8)).withCPath({ opendir($0) })
    else { return [] }
    defer { closedir(stream) }
    var found: [DatasetKey] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      guard let key = DatasetKey(hex: String(decoding: name, as: UTF8.self)),
        Self.isThere(dataset(key).headPath)
      else { continue }
      found.append(key)
    }
    return found
  }

  /// Whether something is there, behind symlinks.
  private static func leadsSomewhere(_ path: [UInt8]) -> Bool {
    var status = stat()
    return path.withCPath { stat($0, &status) } == 0
  }

  static func isThere(_ path: [UInt8]) -> Bool {
    var status = stat()
    return path.withCPath { lstat($0, &status) } == 0
  }
}

extension [UInt8] {
  /// Whether the path is another one, or lies below it.
  func isAtOrBelow(_ other: [UInt8]) -> Bool {
    let slash = UInt8(ascii: "/")
    if other == [slash] { return first == slash }
    return starts(with: other) && (count == other.count || self[other.count] == slash)
  }
}
