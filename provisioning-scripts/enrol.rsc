# Mastwire @ENROLMENT@: joins one router, until @EXPIRES@.
# Paste all of this into a terminal of the router. Pasted again, it finishes what was left.
{
# An interface or account of this name that is not of this enrolment stays as it is, and nothing is done.
:foreach mwRow in=[/interface wireguard find where name="@INTERFACE@"] do={
  :if ([:tostr [/interface wireguard get $mwRow comment]] != "@TAG_INTERFACE@") do={
    :put "Mastwire: @INTERFACE@ is here from an earlier or another controller. To take it away:"
    :put "/interface wireguard peers remove [find where interface=\"@INTERFACE@\"]"
    :put "/ip address remove [find where interface=\"@INTERFACE@\"]"
    :put "/interface wireguard remove @INTERFACE@"
    :error "Mastwire: nothing was changed. Take the old interface away and paste again."
  }
}
:foreach mwRow in=[/user find where name="@USER@"] do={
  :if (!([:tostr [/user get $mwRow comment]] ~ "^mw:")) do={
    :error "Mastwire: nothing was changed. Rename the account @USER@, which is not ours, and paste again."
  }
}
:foreach mwRow in=[/user group find where name="@USER@"] do={
  :if (!([:tostr [/user group get $mwRow comment]] ~ "^mw:")) do={
    :error "Mastwire: nothing was changed. Rename the group @USER@, which is not ours, and paste again."
  }
}

# Until the first peer is there, nothing of this reaches outside of the router.
:if ([:len [/interface wireguard find where comment="@TAG_INTERFACE@"]] = 0) do={
  /interface wireguard add name=@INTERFACE@ mtu=@MTU@ comment="@TAG_INTERFACE@"
}
:if ([:len [/ip address find where comment="@TAG_ADDRESS@"]] = 0) do={
  /ip address add address=@ADDRESS@/32 network=@HUB@ interface=@INTERFACE@ comment="@TAG_ADDRESS@"
} else={
  /ip address set [find where comment="@TAG_ADDRESS@"] address=@ADDRESS@/32 network=@HUB@
}
:local mwRules [/ip firewall filter find where chain="input" !dynamic]
:if ([:len [/ip firewall filter find where comment="@TAG_INPUT@"]] = 0) do={
  :if ([:len $mwRules] = 0) do={
    /ip firewall filter add chain=input action=accept in-interface=@INTERFACE@ \
      src-address=@HUB@ comment="@TAG_INPUT@"
  } else={
    /ip firewall filter add chain=input action=accept in-interface=@INTERFACE@ \
      src-address=@HUB@ comment="@TAG_INPUT@" place-before=[:pick $mwRules 0]
  }
}
:if ([:len [/user group find where name="@USER@"]] = 0) do={
  /user group add name=@USER@ policy=@POLICY@ comment="@TAG_GROUP@"
} else={
  /user group set [find where name="@USER@"] policy=@POLICY@ comment="@TAG_GROUP@"
}

# Settings that exist once: what was off is marked by an entry that does nothing, so that it can be put back.
:if ([/system ntp client get enabled] != true) do={
  :if ([:len [/ip firewall address-list find where comment="@TAG_NTP@"]] = 0) do={
    /ip firewall address-list add list=mw-ntp-was-off address=@HUB@ disabled=yes comment="@TAG_NTP@"
  }
  :if ([:len [:tostr [/system ntp client get servers]]] = 0) do={
    :if ([:len [/ip firewall address-list find where comment="@TAG_SERVERS@"]] = 0) do={
      /ip firewall address-list add list=mw-ntp-had-no-servers address=@HUB@ disabled=yes \
        comment="@TAG_SERVERS@"
    }
    /system ntp client set servers=@NTP@
  }
  /system ntp client set enabled=yes
}
# The API service: opened to the hub alone if it was off; one that is closed to the hub is reported, not changed.
:local mwApi [/ip service find where name="api" !dynamic]
:local mwFrom [:tostr [/ip service get $mwApi address]]
:if ([/ip service get $mwApi disabled] && ([:len $mwFrom] = 0 || $mwFrom = "@HUB@/32")) do={
  :if ([:len [/ip firewall address-list find where comment="@TAG_API@"]] = 0) do={
    /ip firewall address-list add list=mw-api-was-off address=@HUB@ disabled=yes comment="@TAG_API@"
  }
  :set mwFrom "@HUB@/32"
  /ip service set $mwApi address=@HUB@/32
  /ip service set $mwApi disabled=no
}
:local mwClosed ([/ip service get $mwApi disabled] || [/ip service get $mwApi port] != @API_PORT@)
:if ([:len $mwFrom] > 0 && [:typeof [:find $mwFrom "@HUB@"]] = "nil") do={ :set mwClosed true }

# The account and the lasting peer. Where an earlier peer works, it stays until the enrolment has proven itself.
:local mwOld [/interface wireguard peers find where interface="@INTERFACE@" \
  comment~"^mw:" comment!="@TAG_PEER@" comment!="@TAG_ENROLMENT@"]
:local mwReady ([:len $mwOld] = 0)
:local mwPlaced false
:local mwJoined false
:for mwSecond from=0 to=60 do={
  :foreach mwRow in=[/interface wireguard peers find where comment="@TAG_PEER@"] do={
    :local mwSeen [/interface wireguard peers get $mwRow last-handshake]
    :if ([:tostr $mwSeen] ~ "[0-9]") do={ :if ($mwSeen < 3m) do={ :set mwJoined true } }
  }
  :if (!$mwJoined) do={
    :foreach mwRow in=[/interface wireguard peers find where comment="@TAG_ENROLMENT@"] do={
      :if ([:tostr [/interface wireguard peers get $mwRow last-handshake]] ~ "[0-9]") do={ :set mwReady true }
    }
    :if ($mwReady && !$mwPlaced) do={
      :if ([:len [/user find where comment="@TAG_USER@"]] = 0) do={
        :if ([:len [/user find where name="@USER@"]] = 0) do={
          /user add name=@USER@ group=@USER@ address=@HUB@/32 comment="@TAG_USER@" \
            password="@PASSWORD@"
        } else={
          /user set [find where name="@USER@"] group=@USER@ address=@HUB@/32 disabled=no \
            comment="@TAG_USER@" password="@PASSWORD@"
        }
      }
      :if ([:len [/interface wireguard peers find where comment="@TAG_PEER@"]] = 0) do={
        /interface wireguard peers remove $mwOld
        /interface wireguard peers add interface=@INTERFACE@ allowed-address=@HUB@/32 \
          public-key="@HUB_KEY@" \
          preshared-key="@LASTING_PSK@" \
          endpoint-address=@ENDPOINT@ endpoint-port=@PORT@ \
          persistent-keepalive=25s comment="@TAG_PEER@"
      }
      :set mwPlaced true
    }
    :if ($mwSecond = 0) do={
      :if ([:len [/interface wireguard peers find where comment="@TAG_ENROLMENT@"]] = 0) do={
        /interface wireguard peers add interface=@INTERFACE@ allowed-address=@HUB_SECOND@/32 \
          public-key="@ENROLMENT_KEY@" \
          preshared-key="@ENROLMENT_PSK@" \
          endpoint-address=@ENDPOINT@ endpoint-port=@PORT@ \
          persistent-keepalive=25s comment="@TAG_ENROLMENT@"
      }
    }
    :delay 1s
  }
}

:if ($mwClosed) do={
  :log warning "Mastwire: the API service is closed to the controller"
  :put "Mastwire: the API service is closed to the controller. To open it to the controller alone:"
  :put "/ip service set api disabled=no address=@HUB@/32 port=@API_PORT@"
}
:if ($mwJoined) do={
  :log info "Mastwire: joined"
  :put "Mastwire: joined. The rest happens at the controller."
} else={
  :log warning "Mastwire: not joined within 60 s: used, expired, or UDP @PORT@ to @ENDPOINT@ is blocked"
  :put "Mastwire: not joined within 60 s. Either this text was used by another router, or it has expired"
  :put "(@EXPIRES@), or UDP port @PORT@ to @ENDPOINT@ is blocked. The controller shows what it saw."
  :if ($mwPlaced) do={
    :put "It goes on trying. To take away what this text added instead:"
    :put "/interface wireguard peers remove [find where interface=\"@INTERFACE@\"]"
    :put "/ip address remove [find where comment=\"@TAG_ADDRESS@\"]"
    :put "/ip firewall filter remove [find where comment=\"@TAG_INPUT@\"]"
    :put "/interface wireguard remove [find where comment=\"@TAG_INTERFACE@\"]"
    :put "/user remove [find where comment=\"@TAG_USER@\"]"
    :put "/user group remove [find where comment=\"@TAG_GROUP@\"]"
    :foreach mwRow in=[/ip firewall address-list find where comment="@TAG_API@"] do={
      :put "/ip service set api disabled=yes"
    }
    :foreach mwRow in=[/ip firewall address-list find where comment="@TAG_NTP@"] do={
      :put "/system ntp client set enabled=no"
    }
    :put "/ip firewall address-list remove [find where address=@HUB@ list~\"^mw-\"]"
  } else={
    /interface wireguard peers remove [find where comment="@TAG_ENROLMENT@"]
    :put "The earlier tunnel of this router was left as it was."
  }
}
}
