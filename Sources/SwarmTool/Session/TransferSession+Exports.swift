import Metainfo
import Swarm
import SwarmNode

/// Files as block devices.
extension TransferSession {
  /// What a command wants to be offered.
  struct Exports {
    /// Where clients connect.
    let socket: [UInt8]
    /// How long reads wait; nil for the usual.
    let readTimeout: Duration?
    /// Whether is fetched by boot traces that versions have.
    var usesTraces = true
  }

  func isOffering(_ torrent: TorrentID) -> Bool { server != nil }

  func isInUse(_ torrent: TorrentID) -> Bool { server?.isReading(torrent) == true }

  /// What was closed is offered no more.
  func withdrawClosed() {
    guard let server, server.exports.contains(where: { node.status(of: $0.torrent) == nil }) else {
      return
    }
    server.exports.removeAll { node.status(of: $0.torrent) == nil }
  }

  /// The version that the session is about can be read: its files are offered, before those of others.
  func canBeRead(_ member: Member) {
    guard let wanted = task.exports, end == nil else { return }
    do {
      let server =
        try self.server
        ?? NBDServer(
          at: wanted.socket, for: node, log: lines.log(isVerbose: options.isVerbose))
      let isFirst = self.server == nil
      self.server = server
      server.onTrace = { [display] in display.tell($1, of: $0) }
      // A name without a version means the newest one.
      for index in server.exports.indices {
        server.exports[index].names.removeLast(server.exports[index].names.count - 1)
      }
      server.exports.insert(
        contentsOf: member.exports(
          readTimeout: wanted.readTimeout, usesTraces: wanted.usesTraces), at: 0)
      display.event(
        "exported",
        [
          ("socket", .text(printable(wanted.socket))),
          ("exports", .list(server.exports.map { .text(printable($0.names.first ?? [])) })),
        ])
      if isFirst, task.machine == nil {
        display.note("block devices are at \(printable(wanted.socket))")
      }
      task.machine?.begin(in: self)
    } catch let error as SystemError {
      fail(Failure.ofSocket(error, option: "--nbd").message)
    } catch {
      fail(Member.text(of: error))
    }
  }
}
