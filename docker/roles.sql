-- Run once, by the image of PostgreSQL, when its volume is made: two roles, of which the portal's own owns nothing.
\set ON_ERROR_STOP on
\getenv owner OWNER_PASSWORD
\getenv portal PORTAL_PASSWORD
CREATE ROLE portal_owner LOGIN PASSWORD :'owner';
CREATE ROLE portal_app LOGIN PASSWORD :'portal';
CREATE DATABASE portal OWNER portal_owner;
REVOKE TEMPORARY ON DATABASE portal FROM PUBLIC;
