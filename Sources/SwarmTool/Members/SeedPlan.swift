import Metainfo
import Swarm
import SwarmNode
import Wire

/// How what is shared is taken part in.
extension SeedSource {
  /// The plan of a member that shares it, and the versions before that are known.
  func plan(
    in state: StateFolder, peers: [PeerAddress], _ teller: any Teller
  ) throws -> Member.Plan {
    var others = try older.map {
      Member.Other(request: $0.request, folders: try $0.folders(), holder: $0.folder)
    }
    if let head {
      let shared = ([self] + older).compactMap { $0.torrent.info.version?.number }
      others += MetadataShare.versions(
        of: state.dataset(head.key), except: Set(shared), state: state)
    }
    let readKey = try head.flatMap { head throws(Failure) in try state.readKey(of: head.key) }
    if readKey == nil {
      do throws(Failure) {
        try state.refusePrivate(contentAt: content)
      } catch {
        // What was published before goes on: no more of it is shared than what its version has.
        if head == nil { throw error }
        teller.warn(error.message)
      }
    }
    if head == nil {
      let info = torrent.info
      try state.refusePrivate(v1: info.infohashV1, v2: info.infohashV2)
    }
    return Member.Plan(
      subject: try subject(), dataset: head.map { follow($0, state, teller) }, peers: peers,
      others: others,
      changeAdvice: head == nil
        ? "" : "; swarm publish \(printable(content)) publishes the change",
      readKey: readKey, isSeed: true)
  }

  /// Whether the version was published from the path, on this machine.
  private func isPublishedHere(
    _ head: Head, _ source: PublishedSource, _ state: StateFolder
  ) -> Bool {
    guard let infohash = head.infohashV2,
      let record = state.keptVersion(infohash, content: source.path)?.record
    else { return false }
    return record.owner == .user && record.isWhole
  }

  private func subject() throws(Failure) -> Member.Subject {
    let folders = try folders()
    return Member.Subject(
      request: { request }, folders: { _, _ in folders }, content: { content },
      version: { torrent.info.version?.number }, recheck: isNew ? recheck : nil,
      published: published)
  }

  /// The folder may be changed at any time, and is the publisher's to change.
  private var published: Member.Published? {
    guard head != nil, let number = torrent.info.version?.number else { return nil }
    return Member.Published(
      version: number, path: content, changes: changes,
      look: { [content, items] in FolderChanges.look(at: content, since: items) })
  }

  /// What another process publishes is shared as soon as it is there.
  private func follow(
    _ head: Head, _ state: StateFolder, _ teller: any Teller
  ) -> Member.Dataset {
    let dataset = state.dataset(head.key)
    var shared = head
    return Member.Dataset(
      key: head.key, salt: head.item.salt, head: head, isOurs: true,
      version: { newer in
        guard newer.version > shared.version else { return nil }
        // So that no number is given twice, whoever published it.
        try Failure.wrap { _ = try dataset.keep(head: newer) }
        guard let published = state.publishedSource(at: content) else { return nil }
        guard isPublishedHere(newer, published, state) else {
          shared = newer
          teller.warn(
            "version \(newer.version) of the dataset was published elsewhere; shared here stays what was "
              + "published from \(printable(content))")
          return nil
        }
        let next = try SeedSource.ofDataset(
          published, sharesOlder: false, state: state, teller: teller)
        shared = newer
        return try next.subject()
      }, watch: { (try? dataset.head()) ?? nil })
  }
}
