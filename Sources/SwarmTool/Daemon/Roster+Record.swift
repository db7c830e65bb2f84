import Glibc
import Metainfo
import SwarmNode

/// What the state folder keeps of a roster, and by what its datasets are known.
extension Roster {
  private static let recordName = Array("daemon.json".utf8)

  /// What was kept; nothing where there is no such file.
  static func record(in state: StateFolder) throws(Failure) -> RosterRecord {
    let path = state.path.appending(name: recordName)
    let bytes: [UInt8]
    do throws(SystemError) {
      bytes = try WholeFile.read(path, limit: RosterRecord.mostBytes)
    } catch {
      if error.number == ENOENT { return RosterRecord() }
      throw Failure("\(error)")
    }
    do throws(Failure) {
      return try RosterRecord(parsing: bytes)
    } catch {
      throw Failure(
        "\(printable(path)) is not what swarm daemon writes: \(error.message); mend it, or move it away"
      )
    }
  }

  /// Keeps what is wished for. Throws where that is not sure.
  func keepRecord() throws(ControlFailure) {
    let bytes = record.bytes
    guard (try? RosterRecord(parsing: bytes)) == record else {
      throw .conflict("the daemon's list of datasets and exports is full")
    }
    do throws(SystemError) {
      try WholeFile.write(
        bytes, to: state.path.appending(name: Self.recordName), mode: 0o600)
    } catch {
      throw .system("\(error)")
    }
  }

  /// By what a wish is known: the dataset's key, else an infohash.
  static func id(of request: AddRequest, in state: StateFolder) throws(Failure) -> String {
    switch subject(of: request.link) {
    case .link(let link):
      guard let id = link.datasetKey?.hex ?? link.v2Infohash?.hex ?? link.v1Infohash?.hex else {
        throw Failure("the link names neither a key nor an infohash")
      }
      return id
    case .torrent(let path):
      if let published = state.publishedSource(at: path) { return published.key.hex }
      guard path.suffix(8).elementsEqual(Array(".torrent".utf8)) else {
        throw Failure(
          "\(printable(path)) is neither a .torrent nor published in the daemon's state folder "
            + "\(printable(state.path)): swarm add --state of that folder publishes it")
      }
      throw Failure("\(printable(path)) was not read yet")
    }
  }

  /// What is kept of a wish for a .torrent: its infohashes. The torrent itself goes to the state folder, so
  /// that the file is of no matter any more.
  static func kept(
    _ link: LinkArgument, in state: StateFolder
  ) throws(Failure) -> LinkArgument {
    guard case .path(let path) = link, state.publishedSource(at: path) == nil,
      path.suffix(8).elementsEqual(".torrent".utf8)
    else { return link }
    let bytes = try Failure.wrap { try WholeFile.read(path, limit: BencodeLimits.torrent.bytes) }
    let torrent = try Failure.wrap("\(printable(path)): ") { try Torrent.inspect(bytes).torrent }
    try Failure.wrap {
      try state.keep(KnownTorrent(info: torrent.info, pieceLayers: torrent.pieceLayers))
    }
    return .link(MagnetLink(torrent.info, key: nil))
  }

  /// What is joined. 64 digits alone are a key or a v2 infohash: nobody can tell, and both are looked for.
  static func subject(of link: LinkArgument) -> JoinSubject {
    switch link {
    case .path(let path): return .torrent(path)
    case .link(var link):
      if let key = link.datasetKey, link == MagnetLink(datasetKey: key) {
        link.v2Infohash = SHA256Digest(key.bytes)
      }
      return .link(link)
    }
  }
}
